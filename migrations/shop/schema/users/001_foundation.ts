import { foundation } from '../foundation.ts'

export const { up, down } = foundation({ contexts: ['users'], role: 'users_app' })
