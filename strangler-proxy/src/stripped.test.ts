import { expect, it } from 'vitest'
import { createStripper, isNeverPassed } from './stripped.ts'

const isStripped = createStripper({ strip: [], keep: [] })

it.each([
  ...['connection', 'proxy-connection', 'keep-alive', 'te', 'trailer', 'upgrade', 'transfer-encoding'],
  ...['http2-settings', 'proxy-authenticate', 'proxy-authorization', 'expect'],
  ...['forwarded', 'x-forwarded-for', 'x-forwarded-user', 'x-forwarded', 'via'],
  ...['x-real-ip', 'x-client-ip', 'x-cluster-client-ip', 'true-client-ip', 'cf-connecting-ip', 'fastly-client-ip'],
  ...['client-ip', 'proxy-client-ip', 'wl-proxy-client-ip', 'x-proxyuser-ip', 'cf-connecting-ipv6', 'cf-pseudo-ipv4'],
  ...['fly-client-ip', 'do-connecting-ip', 'x-azure-clientip', 'x-azure-socketip', 'x-appengine-user-ip'],
  ...['x-true-client-ip', 'x-originating-ip', 'x-forward-for', 'incap-client-ip', 'x-nf-client-connection-ip'],
  ...['x-scheme', 'x-url-scheme', 'front-end-https', 'x-host', 'x-http-host-override'],
  ...['x-envoy-external-address', 'x-envoy-internal', 'x-envoy-original-path', 'x-middleware-subrequest'],
  ...['x-original-url', 'x-original-host', 'x-rewrite-url'],
  ...['x-http-method', 'x-http-method-override', 'x-method-override'],
  ...['x-request-id', 'traceparent', 'tracestate'],
  ...['banyan-side', 'banyan-refused', 'banyan-mirrored', 'banyan-deadline-ms'],
  ...['x_anything', 'x.anything', 'x~anything'],
])('%s is passed on by no table', (name) => {
  expect([isStripped(name), isNeverPassed(name)]).toEqual([true, true])
  expect(createStripper({ strip: [], keep: [name] })(name)).toBe(true)
})

it.each([
  ...['remote-user', 'remote-groups', 'remote-email', 'remote-name', 'x-remote-user', 'x-remote-groups'],
  ...['x-user', 'x-user-id', 'x-username', 'x-role', 'x-roles', 'x-groups', 'x-admin'],
  ...['x-auth-token', 'x-auth-request-user', 'x-authenticated-userid', 'x-account-id', 'x-principal-id'],
  ...['x-consumer-username', 'x-credential-identifier', 'x-identity-id', 'x-internal-token', 'x-webauth-user'],
  ...['x-client-cert', 'x-client-verify', 'x-ssl-client-cert', 'ssl-client-verify'],
  ...['client-cert', 'client-cert-chain', 'x-client-cert-chain', 'x-client-dn', 'x-arr-clientcert'],
  ...['x-amzn-mtls-clientcert', 'x-amzn-mtls-clientcert-subject', 'x-anonymous-consumer', 'x-jwt-assertion'],
  ...['x-endpoint-api-userinfo', 'x-apigateway-api-userinfo', 'x-pomerium-jwt-assertion', 'x-vouch-user'],
  ...[
    'x-authentik-username',
    'x-okta-user',
    'x-tls-client-cert',
    'x-client-verified',
    'x-id-token',
    'tailscale-user-login',
  ],
  ...['teleport-jwt-assertion', 'x-teleport-user', 'iv-user', 'iv-groups', 'sm-user', 'smuser', 'oidc-claim-sub'],
  ...['shib-session-id', 'eppn', 'oam-remote-user'],
  ...['x-amzn-oidc-identity', 'x-goog-authenticated-user-email', 'x-goog-iap-jwt-assertion'],
  ...['x-ms-client-principal-name', 'x-ms-token-aad-id-token', 'cf-access-jwt-assertion'],
])('%s says who somebody is: it is passed on where a table keeps it, and not otherwise', (name) => {
  expect(isStripped(name)).toBe(true)
  expect(createStripper({ strip: [], keep: [name] })(name)).toBe(false)
})

it.each(['accept', 'authorization', 'cookie', 'host', 'content-type', 'x-colour'])('%s goes on', (name) => {
  expect(isStripped(name)).toBe(false)
})
