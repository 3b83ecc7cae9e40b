import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'

/** What holds of every process, whatever it answers for. */
export function commonContract(world: () => World): void {
  describe('every process', () => {
    it.each(['/nowhere', '/api/nowhere', '/api/products/1/nowhere'])('answers %s with a problem', async (path) => {
      const response = await fetch(new URL(path, world().baseUrl))
      expect(response.status).toBe(404)
      expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(await response.json()).toMatchObject({ status: 404, code: 'not-found', instance: path })
    })

    it('names each request, by the caller’s name for it if that is harmless', async () => {
      const ask = async (id: string) => {
        const response = await fetch(new URL('/api/nowhere', world().baseUrl), { headers: { 'x-request-id': id } })
        await response.arrayBuffer()
        return response.headers.get('x-request-id')
      }
      expect(await ask('order-17.retry_2')).toBe('order-17.retry_2')
      expect(await ask('r')).toBe('r')
      expect(await ask('no such name')).toMatch(/^[0-9a-f-]{36}(-[0-9a-z]+)?$/)
    })

    it('sends the headers that keep browsers out of trouble, and none that tells what it runs on', async () => {
      const response = await fetch(new URL('/api/nowhere', world().baseUrl))
      await response.arrayBuffer()
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('x-powered-by')).toBeNull()
    })
  })
}
