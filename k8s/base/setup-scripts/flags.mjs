// Makes the flags of a context in Unleash: node flags.mjs <context>. One that is there is left as it is.
//   <context>-reads, <context>-shadow   on, at a share of 0 %
//   <context>-writes                    off: an observed flip of it asks for a switch
const { UNLEASH_URL: url, UNLEASH_ADMIN_TOKEN: authorization } = process.env
const context = process.argv[2]
if (!url || !authorization || !context) throw new Error('UNLEASH_URL, UNLEASH_ADMIN_TOKEN and a context are needed')

const send = (path, body) =>
  fetch(`${url}/admin/projects/default/features${path}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  })

const accepted = async (answer, flag) => {
  if (!answer.ok) throw new Error(`Unleash refused the flag ${flag}: ${answer.status} ${await answer.text()}`)
}

const FLAGS = {
  reads: `Share of ${context} reads that the other side answers`,
  shadow: `Share of ${context} reads that are mirrored and compared`,
  writes: `Intent: flip it to ask for a switch of ${context}, or back`,
}

for (const [kind, description] of Object.entries(FLAGS)) {
  const name = `${context}-${kind}`
  const made = await send('', { name, description, type: 'operational' })
  if (made.status === 409) continue
  await accepted(made, name)
  const rollout = kind === 'writes' ? '100' : '0'
  const parameters = { rollout, stickiness: 'default', groupId: name }
  const environment = `/${name}/environments/development`
  await accepted(await send(`${environment}/strategies`, { name: 'flexibleRollout', parameters }), name)
  if (kind !== 'writes') await accepted(await send(`${environment}/on`, {}), name)
}
console.log(`flags of ${context}: done`)
