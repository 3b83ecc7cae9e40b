/** The broker's part of a world: a virtual host, and the account that alone may use it and may use nothing else. */
import { newPassword } from '../embedded/rabbitmq.ts'
import { type BrokerAccount, brokerApi, EVERYTHING } from '../provision/broker.ts'
import { MARK } from './run-name.ts'

/** @param prefix of the virtual host's name, so that runs do not meet at one broker */
export function worldAccount(prefix: string, world: string): BrokerAccount & { vhost: string } {
  const vhost = `${prefix}_${world}`
  return { name: vhost, password: newPassword(), tags: [MARK], permissions: { [vhost]: EVERYTHING }, vhost }
}

/**
 * Deletes them, and all that is in their virtual hosts.
 * @param api the management API's base URL with an administrator in it
 */
export async function dropAccounts(api: string, accounts: readonly { name: string; vhost: string }[]): Promise<void> {
  for (const { name, vhost } of accounts)
    for (const path of [`vhosts/${vhost}`, `users/${name}`]) {
      const response = await brokerApi(api, 'DELETE', path)
      if (!response.ok && response.status !== 404)
        throw new Error(`DELETE ${path}: RabbitMQ answered ${response.status} ${await response.text()}`)
    }
}
