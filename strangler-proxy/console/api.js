/** Questions to the proxy. Whatever changes something shows the proof that the login gave. */

let proof = ''

/** An answer that is not a success, with the reason as the proxy gives it. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.fields?.map(({ path, message }) => `${path} ${message}`).join('; ') || problem.detail)
    this.status = status
  }
}

async function ask(method, path, body) {
  let answer
  try {
    answer = await fetch(path, {
      method,
      headers: { 'x-csrf-token': proof, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  } catch {
    throw new Refusal(0, { detail: 'The proxy does not answer.' })
  }
  const text = await answer.text()
  const value = text === '' ? null : JSON.parse(text)
  if (!answer.ok) throw new Refusal(answer.status, value ?? { detail: `The proxy answered ${answer.status}.` })
  return value
}

function remember(session) {
  proof = session.csrf
  return session
}

export const whoAmI = () => ask('GET', 'session').then(remember)
export const logIn = (name, secret) => ask('POST', 'login', { name, secret }).then(remember)
export const logOut = () => ask('POST', 'logout')
export const olderAudit = (before) => ask('GET', `audit?before=${before}`)
export const mirrorSamples = () => ask('GET', 'mirror/samples')

/** @param action `reads`, `share`, `owner` or `call-off` */
export const act = (context, action, order) => ask('POST', `contexts/${encodeURIComponent(context)}/${action}`, order)
