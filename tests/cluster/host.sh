#!/usr/bin/env bash
# The first process of a test host, inside namespaces of its own: host.sh NAME FOLDER CHECKOUT VENV PYTHON.
# It makes the host's view of the file system and becomes its sshd.
set -euo pipefail
name=$1 folder=$2 checkout=$3 venv=$4 python=$5

hostname "$name"
mount --make-rprivate /
mkdir -p "$folder/venv" "$folder/python" /run/sshd
mount --bind "$venv" "$folder/venv"
mount --bind "$python" "$folder/python"

mount -t tmpfs -o mode=755 tmpfs "$checkout" # whatever of it runs here was sent here
mount -t tmpfs -o mode=1777,size=4g tmpfs /dev/shm
mount --bind "$folder/../hosts" /etc/hosts
mount --bind "$folder/home" /root
mount --bind "$folder/venv" /root/.speech-sweep/venv
# The scripts of a virtual environment name its place and its Python's, wherever the mounts above have hidden them.
mkdir -p "$venv" "$python"
mount --bind "$folder/venv" "$venv"
mount --bind "$folder/python" "$python"

rm -rf "$folder/tmp" # of the machine that was here before
mkdir "$folder/tmp"
chmod 1777 "$folder/tmp"
mount --bind "$folder/tmp" /tmp
ssh-keygen -q -t ed25519 -N "" -f /tmp/host_key
exec "$(command -v sshd || echo /usr/sbin/sshd)" -D -e -h /tmp/host_key -o PidFile=none -o UsePAM=no \
  -o AuthorizedKeysFile=.ssh/authorized_keys -o PermitRootLogin=prohibit-password -o StrictModes=no
