import { SHELVES, type Shelf } from './words.ts'

export type CatalogueProduct = {
  sku: string
  name: string
  description: string
  category: string
  priceCents: number
  available: number
}

const PER_SHELF = 80

/** The shop's first catalogue: 80 products a shelf, the same on every machine. */
export function catalogue(): { categories: { slug: string; name: string }[]; products: CatalogueProduct[] } {
  const random = mulberry32(20_260_101)
  return {
    categories: SHELVES.map(({ slug, name }) => ({ slug, name })),
    products: SHELVES.flatMap((shelf) => Array.from({ length: PER_SHELF }, (_, at) => product(shelf, at, random))),
  }
}

function product(shelf: Shelf, at: number, random: () => number): CatalogueProduct {
  // The product and its kind walk in step with different strides, so that no name comes twice on a shelf.
  const [thing, plainCents] = pick(shelf.things, at)
  const round = Math.floor(at / shelf.things.length)
  const kind = pick(shelf.kinds, at + round)
  const brand = pick(shelf.brands, at + round + 2 * Math.floor(round / shelf.kinds.length))
  const variant = pick(shelf.variants, Math.floor(random() * shelf.variants.length))
  const first = Math.floor(random() * shelf.remarks.length)
  const remarks = [pick(shelf.remarks, first), pick(shelf.remarks, first + 1)]
  return {
    sku: `${shelf.code}-${String(at + 1).padStart(4, '0')}`,
    name: `${brand} ${kind} ${thing}, ${variant}`,
    description: `${kind} ${thing.toLowerCase()} by ${brand} (${variant}). ${remarks.join(' ')}`,
    category: shelf.slug,
    priceCents: Math.round((plainCents * (0.8 + random() * 0.9)) / 100) * 100 - 10,
    available: 60 + Math.floor(random() * 340),
  }
}

const pick = <T>(list: readonly T[], at: number): T => list[at % list.length] as T

/** A small seeded generator: Math.random would make every machine's shop a different one. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
