// The arrows of the house: who may import whom. A wrong one fails the build; tests/arrows.test.ts plants one to
// prove that this check sees the sources.
const TESTS = '[.]test[.]ts$|^tests/|/testing/'
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to })

module.exports = {
  forbidden: [
    forbid(
      'no-cycles',
      'Files that import each other by value cannot be understood, or taken away, one at a time.',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    forbid(
      'kit-imports-packages-only',
      'The kit is what a stranger takes home: nothing of the shop or of an engine may hide in it.',
      { path: '^kit/', pathNot: TESTS },
      { path: '^(monolith|extracted|strangler-proxy|migrations|compose|tests)/' },
    ),
    forbid(
      'proxy-imports-kit-only',
      'The proxy reads its shop/ through a path in its configuration, never by import.',
      { path: '^strangler-proxy/', pathNot: TESTS },
      { path: '^(monolith|extracted|migrations|compose|tests)/|^strangler-proxy/shop/' },
    ),
    forbid(
      'migrations-engine-imports-kit-only',
      'The engine moves any context: the shop reaches it as a plan file.',
      { path: '^migrations/src/', pathNot: TESTS },
      { path: '^(monolith|extracted|strangler-proxy|compose|tests)/|^migrations/shop/' },
    ),
    forbid(
      'monolith-imports-kit-only',
      'The monolith knows nothing of its own dismantling.',
      { path: '^monolith/', pathNot: TESTS },
      { path: '^(extracted|strangler-proxy|migrations|compose|tests)/' },
    ),
    forbid(
      'services-are-strangers-to-each-other',
      'A service that imports another, the monolith or an engine cannot be deployed alone.',
      { path: '^extracted/([^/]+)/', pathNot: TESTS },
      { path: '^(monolith|strangler-proxy|migrations|compose|tests)/|^extracted/', pathNot: '^extracted/$1/' },
    ),
    forbid(
      'compose-talks-over-the-wire',
      'compose/ starts processes and speaks HTTP, AMQP and SQL to them; an import would hide a missing contract.',
      { path: '^compose/', pathNot: TESTS },
      { path: '^(monolith|extracted|strangler-proxy|kit|migrations/src|tests)/' },
    ),
    forbid(
      'tests-talk-over-the-wire',
      'Proof across processes uses what a user could use; tests/model imports pure decision files, tests/k8s what a configuration must be.',
      { path: '^tests/', pathNot: '^tests/(model|bench|k8s)/' },
      { path: '^(monolith|extracted|strangler-proxy|kit|migrations)/' },
    ),
    forbid('not-to-tests', 'Nothing that ships may lean on a test.', { pathNot: TESTS }, { path: '[.]test[.]ts$' }),
    forbid('resolvable', 'An import that resolves to nothing.', {}, { couldNotResolve: true }),
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)node_modules/|[.]banyan/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
}
