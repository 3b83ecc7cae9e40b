import { foundation } from '../foundation.ts'

export const { up, down } = foundation({ contexts: ['orders'], role: 'orders_app' })
