#!/usr/bin/env bash
# Applies an overlay, waits until all of it has rolled out, and buys a hundred things through its ingress.
#   bash k8s/kind/deploy.sh k8s/kind/<stage>
# shop.localhost has to lead to this machine; the smoke test's exit code is this script's.
set -euo pipefail
kubectl apply -k "$1"
kubectl -n banyan wait --for=condition=complete job --all --timeout=10m
kubectl -n banyan rollout status statefulset --timeout=5m
kubectl -n banyan rollout status deployment --timeout=10m

kubectl -n traefik port-forward service/traefik 8000:80 >/dev/null &
trap 'kill $!' EXIT
# A route reaches Traefik a moment after its pods are ready.
for _ in {1..60}; do
  curl --silent --fail --output /dev/null http://shop.localhost:8000/api/products && break
  sleep 1
done
secret() { kubectl -n banyan get secret monolith -o "jsonpath={.data.$1}" | base64 -d; }
SHOP_URL=http://shop.localhost:8000 ADMIN_EMAIL=$(secret ADMIN_EMAIL) ADMIN_PASSWORD=$(secret ADMIN_PASSWORD) \
  node compose/shoppers/smoke.ts
