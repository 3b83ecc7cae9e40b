import { foundation } from '../foundation.ts'

export const { up, down } = foundation({ contexts: ['notifications'], role: 'notifications_app' })
