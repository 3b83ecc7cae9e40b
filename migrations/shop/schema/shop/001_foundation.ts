import { foundation } from '../foundation.ts'

const contexts = ['users', 'inventory', 'payments', 'orders', 'shipping', 'notifications']

export const { up, down } = foundation({ contexts, role: 'shop_app' })
