// What the type-level specs share: two messages, their codecs, and equality of types.
import type { Codec } from '../../lib/grpc/protocol/codec.ts'

export interface Point {
  latitude: number
}
export interface Feature {
  name: string
}

export declare const point: Codec<Point>
export declare const feature: Codec<Feature>

export type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
export const same = <A, B>(_equal: Equal<A, B>): void => {}
