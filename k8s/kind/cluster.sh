#!/usr/bin/env bash
# A cluster on this machine with all that a stage needs before it is applied: the images, as the manifests name them, the
# namespace and fresh Secrets.
#   bash k8s/kind/cluster.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
kind create cluster --name banyan
npm run -s images -- --release 0.1
for name in monolith strangler-proxy migrations compose {inventory,notification,order,payment,shipping,user}-service; do
  kind load docker-image --name banyan "banyan/$name:release-0.1"
done
npm run -s k8s:secrets | kubectl apply -f -
