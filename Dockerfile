# One image a workspace: docker build --build-arg WORKSPACE=monolith -t monolith:$(git rev-parse --short HEAD) .
# WORKSPACE is the folder of the process: monolith, strangler-proxy, migrations, extracted/<name>-service, or compose for
# the sandboxes.
# A registry that needs credentials, a network with a certificate authority of its own:
#   --secret id=npmrc,src=$HOME/.npmrc --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt

FROM node:24-trixie-slim AS install
ARG WORKSPACE
WORKDIR /app
# The manifests alone first: the layer with the dependencies lives until one of them changes.
COPY package.json package-lock.json .npmrc ./
COPY kit/package.json kit/
COPY monolith/package.json monolith/
COPY strangler-proxy/package.json strangler-proxy/
COPY migrations/package.json migrations/
COPY compose/package.json compose/
COPY tests/package.json tests/
COPY extracted/inventory-service/package.json extracted/inventory-service/
COPY extracted/notification-service/package.json extracted/notification-service/
COPY extracted/order-service/package.json extracted/order-service/
COPY extracted/payment-service/package.json extracted/payment-service/
COPY extracted/shipping-service/package.json extracted/shipping-service/
COPY extracted/user-service/package.json extracted/user-service/
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=secret,id=ca,target=/run/secrets/ca.pem \
    if [ -f /run/secrets/ca.pem ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca.pem NPM_CONFIG_CAFILE=/run/secrets/ca.pem; fi; \
    npm ci --omit=dev --no-audit --no-fund --workspace "${WORKSPACE:?name a workspace with --build-arg WORKSPACE=<folder>}"
COPY kit kit
COPY ${WORKSPACE} ${WORKSPACE}
# What npm linked or left of the other workspaces would be dangling in the image.
RUN find node_modules -xtype l -delete \
 && for folder in compose tests monolith strangler-proxy migrations extracted/*; do [ "$folder" = "$WORKSPACE" ] || rm -rf "./$folder"; done \
 && find . -name '*.test.ts' -not -path '*/node_modules/*' -delete

# Sources stay outside node_modules (Node strips types nowhere else); node_modules/@banyan/kit is a symlink to ../../kit.
FROM gcr.io/distroless/nodejs24-debian13:nonroot
ARG WORKSPACE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="banyan/${WORKSPACE}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production HOST=0.0.0.0
COPY --from=install /app /app
WORKDIR /app/${WORKSPACE}
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node"]
CMD ["src/main.ts"]
