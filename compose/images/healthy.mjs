// What a container's health check runs, since the image has no curl: HEALTH_URL, or /health/ready at PORT. A process
// without a listener sets HEALTH_URL=none: that it runs is then all there is to say.
const { HEALTH_URL: url, PORT: port } = process.env
if (url !== 'none') {
  if (!url && !port) throw new Error('neither HEALTH_URL nor PORT says where to ask')
  const answer = await fetch(url || `http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(4_000) })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
}
