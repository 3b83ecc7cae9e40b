/** One product of a cart or order, and how many of it. */
export type ReservationLine = { productId: number; quantity: number }

/**
 * held: taken out of `available`, waiting for the money · confirmed: sold · released: given back ·
 * expired: given back by the clock. A reservation never comes back from `released` or `expired`.
 */
export type ReservationStatus = 'held' | 'confirmed' | 'released' | 'expired'

export type Reservation = {
  orderId: number
  status: ReservationStatus
  lines: ReservationLine[]
  expiresAt: string
}

export type ReserveRequest = { orderId: number; lines: ReservationLine[]; expiresInSeconds?: number | undefined }

export type Shortage = { productId: number; requested: number; available: number }

/** One line a product, by product id: the order in which rows are locked, so that two orders never deadlock. */
export function normaliseLines(lines: readonly ReservationLine[]): ReservationLine[] {
  const quantities = new Map<number, number>()
  for (const { productId, quantity } of lines) quantities.set(productId, (quantities.get(productId) ?? 0) + quantity)
  return [...quantities]
    .map(([productId, quantity]) => ({ productId, quantity }))
    .sort((a, b) => a.productId - b.productId)
}

/** Whether two normalised lists ask for the same. */
export function sameLines(a: readonly ReservationLine[], b: readonly ReservationLine[]): boolean {
  return (
    a.length === b.length &&
    a.every((line, at) => line.productId === b[at]?.productId && line.quantity === b[at]?.quantity)
  )
}

/** The lines that the stock at hand cannot serve; a product without stock at all is not among them. */
export function shortagesOf(lines: readonly ReservationLine[], available: ReadonlyMap<number, number>): Shortage[] {
  return lines.flatMap(({ productId, quantity }) => {
    const left = available.get(productId)
    return left !== undefined && left < quantity ? [{ productId, requested: quantity, available: left }] : []
  })
}

/** What becomes of the stock of a reservation that ends: where its units come from and where they go. */
export function unitsBack(status: ReservationStatus): 'from-reserved' | 'from-sold' | 'none' {
  switch (status) {
    case 'held':
      return 'from-reserved'
    case 'confirmed':
      return 'from-sold'
    case 'released':
    case 'expired':
      return 'none'
  }
}
