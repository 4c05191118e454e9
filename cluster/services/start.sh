#!/usr/bin/env bash
# Start PostgreSQL and MLflow for this machine only, without any password: PostgreSQL on its Unix socket with peer
# authentication, MLflow on loopback. Debian or Ubuntu, with sudo. Services that already run are left as they are.
set -euo pipefail

if ! command -v pg_lsclusters >/dev/null; then
  sudo apt-get update -qq
  sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null
fi
as_postgres() { (cd / && sudo -u postgres "$@"); }
as_postgres createuser "$USER" 2>/dev/null || true
# Two databases: in one, Optuna's and MLflow's migrations would collide.
for database in speech_sweep_study speech_sweep_mlflow; do
  as_postgres createdb --owner "$USER" "$database" 2>/dev/null || true
  psql --quiet --no-psqlrc --dbname "$database" --command "" # fail here rather than in the middle of a sweep
done

if ! curl -fs http://127.0.0.1:5000/health >/dev/null; then
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false setsid nohup mlflow server \
    --host 127.0.0.1 --port 5000 --workers 2 \
    --backend-store-uri postgresql:///speech_sweep_mlflow \
    --artifacts-destination "${SPEECH_SWEEP_OUTPUT:-$HOME/.speech-sweep}/mlflow" \
    >"$HOME/.speech-sweep/mlflow.log" 2>&1 </dev/null &
fi
