import { foundation } from '../foundation.ts'

export const { up, down } = foundation({ contexts: ['shipping'], role: 'shipping_app' })
