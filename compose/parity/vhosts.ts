/** Virtual hosts of one broker, made through its management API. */

/**
 * @param api the management API's base URL with an administrator in it
 * @param brokerUrl the AMQP URL whose user gets every right in the new hosts
 */
export function createVhosts(api: string, brokerUrl: string, prefix: string) {
  const made: string[] = []
  const base = new URL(api)
  const secret = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`
  const authorization = `Basic ${Buffer.from(secret).toString('base64')}`
  base.username = base.password = ''
  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${base.href.replace(/\/$/, '')}/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (!response.ok && response.status !== 404)
      throw new Error(`${method} ${path}: RabbitMQ answered ${response.status} ${await response.text()}`)
  }
  return {
    /** @returns the AMQP URL of a new virtual host */
    async create(name: string): Promise<string> {
      const whole = `${prefix}_${name}`
      made.push(whole)
      const url = new URL(brokerUrl)
      await call('PUT', `vhosts/${whole}`, {})
      await call('PUT', `permissions/${whole}/${url.username}`, { configure: '.*', write: '.*', read: '.*' })
      url.pathname = `/${whole}`
      return url.href
    },
    async drop(): Promise<void> {
      for (const name of made) await call('DELETE', `vhosts/${name}`)
    },
  }
}
