/** Which operation of a contract a request asks for. */
export type Operations = {
  nameOf(method: string, path: string): string
  names(): string[]
}

/** @param known method and path template such as `/api/products/{id}` of each operation */
export function createOperations(known: readonly { operationId: string; method: string; path: string }[]): Operations {
  // A literal path such as /items/new wins over /items/{id}.
  const forms = known
    .map(({ operationId, method, path }) => ({
      operationId,
      method: method.toUpperCase(),
      parameters: path.match(/\{/g)?.length ?? 0,
      form: new RegExp(`^${path.replaceAll(/[.+*?^$()|[\]\\]/g, '\\$&').replaceAll(/\{[^}]+\}/g, '[^/]*')}$`),
    }))
    .sort((a, b) => a.parameters - b.parameters)
  return {
    nameOf(method, path) {
      const bare = path.split('?')[0] ?? ''
      const asked = method.toUpperCase()
      const found = forms.find((each) => each.method === asked && each.form.test(bare))
      return found?.operationId ?? `${asked} ${bare.replaceAll(/\/(\d+|[\w-]*\d[\w-]{7,})(?=\/|$)/g, '/:id')}`
    },
    names: () => known.map(({ operationId }) => operationId),
  }
}
