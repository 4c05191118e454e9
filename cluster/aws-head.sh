#!/usr/bin/env bash
# Write the settings of the head in cluster/aws.yaml: its own Ray, its own services, the account's bucket.
set -euo pipefail

region=us-west-2 # as in cluster/aws.yaml
account=$(~/.speech-sweep/venv/bin/python -c "
import boto3
print(boto3.client('sts', region_name='$region').get_caller_identity()['Account'])")

cat >~/.speech-sweep/head <<END
RAY_ADDRESS=127.0.0.1:6379
AWS_DEFAULT_REGION=$region
SPEECH_SWEEP_OUTPUT=s3://speech-sweep-$account-$region/sweeps
SPEECH_SWEEP_STUDY_URI=postgresql:///speech_sweep_study
MLFLOW_TRACKING_URI=http://127.0.0.1:5000
END
