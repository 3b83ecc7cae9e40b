/** The contexts that have a service to be compared with the monolith. */
export const CONTEXTS: Readonly<
  Record<string, { service: string; main: string; database: string; tables: readonly string[] }>
> = {
  inventory: {
    service: 'inventory-service',
    main: 'extracted/inventory-service/src/main.ts',
    database: 'inventory',
    tables: ['categories', 'products', 'stock', 'reservations'],
  },
}
