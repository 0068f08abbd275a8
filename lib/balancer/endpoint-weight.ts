// How much of the traffic an endpoint is to get, where its resolver says so. Source: gRFC A113.
import type { Endpoint } from '../naming/index.ts'

/** The attribute of an endpoint that holds its weight, a whole number from 1 on. */
export const WEIGHT_ATTRIBUTE = 'weight'

/** The weight of an endpoint; 1 where there is none, or none that makes sense. */
export function endpointWeight({ attributes }: Endpoint): number {
  const weight = attributes?.[WEIGHT_ATTRIBUTE]
  return typeof weight === 'number' && weight >= 1 ? weight : 1
}
