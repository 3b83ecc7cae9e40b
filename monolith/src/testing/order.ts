export const SHIPPING_ADDRESS = { name: 'Ada', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' }

/** What a customer's client sends to order: a piece of the first product, paid at once, unless changed. */
export const orderBody = (change: object = {}) => ({
  items: [{ productId: 1, quantity: 1 }],
  paymentToken: 'tok_visa',
  shippingAddress: SHIPPING_ADDRESS,
  ...change,
})
