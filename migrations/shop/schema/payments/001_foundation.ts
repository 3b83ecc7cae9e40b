import { foundation } from '../foundation.ts'

export const { up, down } = foundation({ contexts: ['payments'], role: 'payments_app' })
