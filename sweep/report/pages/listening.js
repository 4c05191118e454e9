// One player a clip: all its versions share a position, so that switching compares the same moment.
"use strict";

const clips = Array.from(document.querySelectorAll(".clip"), (element) => {
  const versions = Array.from(element.querySelectorAll(".version"), (button) => ({
    button,
    audio: element.querySelector(`#${button.dataset.audio}`),
    cursor: button.querySelector("i"),
  }));
  return {
    element,
    versions,
    current: versions[0],
    play: element.querySelector(".transport button"),
    slider: element.querySelector(".transport input"),
    clock: element.querySelector(".transport output"),
  };
});
let active = clips[0];

function start(audio) {
  // A pause that comes before the sound has begun is no error.
  audio.play().catch((error) => {
    if (error.name !== "AbortError") throw error;
  });
}

function choose(clip, version) {
  const before = clip.current;
  if (before === version) return;
  const playing = !before.audio.paused;
  before.audio.pause();
  version.audio.currentTime = before.audio.currentTime;
  clip.current = version;
  if (playing) start(version.audio);
  show(clip);
}

function activate(clip) {
  if (clip !== active) active.current.audio.pause();
  active = clip;
  clips.forEach((each) => each.element.classList.toggle("current", each === clip));
}

function toggle(clip) {
  activate(clip);
  const { audio } = clip.current;
  if (audio.paused) start(audio); // from the beginning where it had ended
  else audio.pause();
}

function seek(clip, seconds) {
  const { audio } = clip.current;
  audio.currentTime = Math.min(Math.max(seconds, 0), audio.duration || 0);
  show(clip);
}

function show(clip) {
  const { audio } = clip.current;
  const share = audio.duration ? audio.currentTime / audio.duration : 0;
  clip.slider.value = share;
  clip.clock.value = `${audio.currentTime.toFixed(1)} of ${(audio.duration || 0).toFixed(1)} s`;
  clip.play.textContent = audio.paused ? "▶" : "⏸";
  clip.play.setAttribute("aria-label", audio.paused ? "play" : "pause");
  for (const version of clip.versions) {
    version.button.setAttribute("aria-pressed", version === clip.current);
    version.cursor.style.left = `${100 * share}%`;
  }
}

function follow(clip) {
  show(clip);
  if (!clip.current.audio.paused) requestAnimationFrame(() => follow(clip));
}

for (const clip of clips) {
  clip.play.addEventListener("click", () => toggle(clip));
  clip.slider.addEventListener("input", () => seek(clip, clip.slider.value * clip.current.audio.duration));
  for (const version of clip.versions) {
    version.button.addEventListener("click", () => {
      activate(clip);
      choose(clip, version);
    });
    for (const name of ["play", "pause", "ended", "loadedmetadata"]) {
      version.audio.addEventListener(name, () => version === clip.current && follow(clip));
    }
  }
  show(clip);
}
if (active) activate(active);

document.addEventListener("keydown", (event) => {
  if (!active || event.ctrlKey || event.metaKey || event.altKey) return;
  const number = Number(event.key);
  const neighbour = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === " ") toggle(active);
  else if (number >= 1 && number <= active.versions.length) choose(active, active.versions[number - 1]);
  else if (event.key === "ArrowLeft") seek(active, active.current.audio.currentTime - 0.5);
  else if (event.key === "ArrowRight") seek(active, active.current.audio.currentTime + 0.5);
  else if (neighbour) {
    activate(clips[Math.min(Math.max(clips.indexOf(active) + neighbour, 0), clips.length - 1)]);
    active.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  } else return;
  event.preventDefault();
});
