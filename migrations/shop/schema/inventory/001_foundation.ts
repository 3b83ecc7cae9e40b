import { foundation } from '../foundation.ts'

export const { up, down } = foundation({ contexts: ['inventory'], role: 'inventory_app' })
