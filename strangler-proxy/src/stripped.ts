// Which headers of a client never reach an upstream. Some belong to the hop or to this proxy, and no table can have
// them passed on; some say who somebody is, and which those are depends on what a monolith believes.

export interface IdentityHeaders {
  /** Names, or beginnings that end in `-*`, that are taken from clients beside those that always are. */
  readonly strip: readonly string[]
  /** Names that would be taken away, but by which clients of this monolith say something of their own. */
  readonly keep: readonly string[]
}

/** Headers of one hop (RFC 9110 §7.6.1), and those that would make the upstream see another request than we did. */
const NEVER = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'transfer-encoding',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authorization',
  'expect',
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'client-ip',
  'x-true-client-ip',
  'x-originating-ip',
  'x-forward-for',
  'incap-client-ip',
  'x-nf-client-connection-ip',
  'proxy-client-ip',
  'wl-proxy-client-ip',
  'x-proxyuser-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'fastly-client-ip',
  'fly-client-ip',
  'do-connecting-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-appengine-user-ip',
  'x-scheme',
  'x-url-scheme',
  'front-end-https',
  'x-host',
  'x-http-host-override',
  'x-middleware-subrequest',
  'via',
  'x-rewrite-url',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-request-id',
  'traceparent',
  'tracestate',
])
const NEVER_PREFIXES = ['x-forwarded', 'x-original', 'x-envoy-', 'banyan-']

/** By which gateways, single sign-on and TLS in front of a monolith tell it who somebody is. */
const IDENTITY = new Set([
  'remote-user',
  'remote-groups',
  'remote-email',
  'remote-name',
  'x-role',
  'x-roles',
  'x-groups',
  'x-admin',
  'x-client-dn',
  'x-client-verify',
  'x-arr-clientcert',
  'x-anonymous-consumer',
  'x-id-token',
  'smuser',
  'eppn',
  'x-client-verified',
])
const IDENTITY_PREFIXES = [
  'x-user',
  'x-auth-',
  'x-authenticated',
  'x-account-',
  'x-consumer-',
  'x-credential-',
  'x-identity-',
  'x-internal',
  'x-principal',
  'x-remote-',
  'x-webauth-',
  'x-jwt-',
  'x-ssl-',
  'ssl-client-',
  'client-cert',
  'x-client-cert',
  'x-amzn-mtls-',
  'x-amzn-oidc-',
  'x-endpoint-api-',
  'x-apigateway-api-',
  'x-pomerium-',
  'x-authentik-',
  'x-okta-',
  'x-tls-client-',
  'x-teleport-',
  'teleport-',
  'tailscale-',
  'iv-',
  'sm-',
  'oidc-',
  'shib-',
  'oam-',
  'x-vouch-',
  'x-goog-authenticated-',
  'x-goog-iap-',
  'x-ms-client-principal',
  'x-ms-token-',
  'cf-access-',
]

/** Anything else in a name is read as a hyphen, or dropped, by one server or another. */
const PLAIN_NAME = /^[a-z0-9-]+$/

/** Headers that carry the request itself: neither `Connection` nor a route table may have them dropped. */
export const CARRIES_REQUEST = ['host', 'content-length', 'content-type', 'authorization', 'cookie'] as const

/** Whether a name is taken from clients whatever a table says. */
export const isNeverPassed = (name: string): boolean =>
  NEVER.has(name) || !PLAIN_NAME.test(name) || NEVER_PREFIXES.some((prefix) => name.startsWith(prefix))

/** Whether a name is taken from clients where the table does not say otherwise. */
export const isIdentity = (name: string): boolean =>
  IDENTITY.has(name) || IDENTITY_PREFIXES.some((prefix) => name.startsWith(prefix))

/** Whether a written name, or beginning with `-*`, means this header. */
export const means = (written: string, name: string): boolean =>
  written.endsWith('*') ? name.startsWith(written.slice(0, -1)) : written === name

/** Says of a header's lower-case name whether it is taken from clients; what was asked once is remembered. */
export function createStripper({ strip, keep }: IdentityHeaders): (name: string) => boolean {
  const remembered = new Map<string, boolean>()
  const judge = (name: string) =>
    isNeverPassed(name) || (!keep.includes(name) && (isIdentity(name) || strip.some((written) => means(written, name))))
  return (name) => {
    const known = remembered.get(name)
    if (known !== undefined) return known
    const verdict = judge(name)
    if (remembered.size < 1_000) remembered.set(name, verdict)
    return verdict
  }
}
