# One image a workspace: docker build --build-arg WORKSPACE=monolith -t banyan/monolith:local .
# All of them with their tags: npm run images. WORKSPACE is the folder of the process: monolith, strangler-proxy,
# migrations, extracted/<name>-service, or compose for provisioning, shoppers and the sandboxes.
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
# What is fetched for one image is there for the next.
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=secret,id=ca,target=/run/secrets/ca.pem \
    if [ -f /run/secrets/ca.pem ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca.pem NPM_CONFIG_CAFILE=/run/secrets/ca.pem; fi; \
    npm ci --omit=dev --no-audit --no-fund --workspace "${WORKSPACE:?name a workspace with --build-arg WORKSPACE=<folder>}"
COPY kit kit
COPY ${WORKSPACE} ${WORKSPACE}
# What npm linked or left of the other workspaces would be dangling in the image.
RUN find node_modules -xtype l -delete \
 && for folder in compose tests monolith strangler-proxy migrations extracted/*; do [ "$folder" = "$WORKSPACE" ] || rm -rf "./$folder"; done \
 && find . -name '*.test.ts' -not -path '*/node_modules/*' -delete \
 && mkdir /journal lib \
 && cp -L /lib/*-linux-gnu/librt.so.1 lib/
COPY compose/images/healthy.mjs ./

# Sources stay outside node_modules (Node strips types nowhere else); node_modules/@banyan/kit is a symlink to ../../kit.
FROM gcr.io/distroless/nodejs24-debian13:nonroot
ARG WORKSPACE
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="banyan/${WORKSPACE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# A native module still asks for librt, long a part of libc; not every bare image has the empty library of that name.
ENV NODE_ENV=production HOST=0.0.0.0 LD_LIBRARY_PATH=/app/lib
COPY --from=install /app /app
# A new volume takes its owner from the folder that it is mounted on.
COPY --from=install --chown=65532:65532 /journal /journal
WORKDIR /app/${WORKSPACE}
USER 65532:65532
# For engines without probes of their own; Kubernetes does not look at it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/nodejs/bin/node", "/app/healthy.mjs"]
ENTRYPOINT ["/nodejs/bin/node"]
CMD ["src/main.ts"]
