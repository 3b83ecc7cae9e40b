/** The flags of a context in Unleash: made when missing, never changed when there. */

export type FlagServer = { url: string; adminToken: string }

const ENVIRONMENT = 'development'

/**
 * Makes `<context>-reads` and `<context>-shadow` (on, at a share of 0 %) and `<context>-writes` (off).
 * @param server `url` ends in `/api`
 */
export async function provisionFlags(server: FlagServer, context: string): Promise<void> {
  const descriptions = {
    reads: `Share of ${context} reads that the other side answers`,
    shadow: `Share of ${context} reads that are mirrored and compared`,
    writes: `Intent: flip it to ask for a switch of ${context}, or back`,
  }
  for (const [kind, description] of Object.entries(descriptions))
    await makeFlag(server, `${context}-${kind}`, description, kind === 'writes' ? 'off' : 'on')
}

async function makeFlag(server: FlagServer, name: string, description: string, start: 'on' | 'off'): Promise<void> {
  const features = `${server.url}/admin/projects/default/features`
  const made = await send(server, 'POST', features, { name, description, type: 'operational' })
  if (made.status === 409) return
  await accepted(made, name)
  const environment = `${features}/${name}/environments/${ENVIRONMENT}`
  // `default` sticks to the user, else to the session: a shopper does not hop between the sides.
  const strategy = {
    name: 'flexibleRollout',
    parameters: { rollout: start === 'on' ? '0' : '100', stickiness: 'default', groupId: name },
  }
  await accepted(await send(server, 'POST', `${environment}/strategies`, strategy), name)
  if (start === 'on') await accepted(await send(server, 'POST', `${environment}/on`, {}), name)
}

async function send(server: FlagServer, method: string, url: string, body: object): Promise<Response> {
  return await fetch(url, {
    method,
    headers: { authorization: server.adminToken, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

async function accepted(response: Response, name: string): Promise<void> {
  if (!response.ok) throw new Error(`Unleash refused the flag ${name}: ${response.status} ${await response.text()}`)
}
