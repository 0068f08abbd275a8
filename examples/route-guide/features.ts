// The world of the example: features from a seeded generator, the same on every run.
import type { Feature, Point } from './service.ts'

const COUNT = 120
const SEED = 20260101
/** The middle of the mapped land, and how far it reaches, degrees times 10^7. */
const CENTRE: Point = { latitude: 471_000_000, longitude: 85_000_000 }
const REACH = 12_000_000

const BEGINNINGS = ['Alder', 'Birch', 'Copper', 'Drift', 'Elder', 'Falcon', 'Granite', 'Heron']
const MIDDLES = ['water', 'stone', 'field', 'wood', 'ridge', 'brook']
const ENDS = ['Bridge', 'Chapel', 'Farm', 'Mill', 'Pass', 'Tower', 'View', 'Well']

/** Numbers in [0, 1) that depend on the seed alone (a linear congruential generator). */
function sequence(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** The features of the land. Every seventh point is known and has no name. */
export function generateFeatures(count: number = COUNT, seed: number = SEED): Feature[] {
  const next = sequence(seed)
  const pick = (words: readonly string[]): string => words[Math.floor(next() * words.length)] ?? ''
  const offset = (): number => Math.round((2 * next() - 1) * REACH)
  return Array.from({ length: count }, (_, index) => {
    const location = {
      latitude: CENTRE.latitude + offset(),
      longitude: CENTRE.longitude + offset(),
    }
    const name = `${pick(BEGINNINGS)}${pick(MIDDLES)} ${pick(ENDS)}`
    return { name: index % 7 === 6 ? '' : name, location }
  })
}

const EARTH_RADIUS_M = 6_371_000

/** The distance between two points along the earth's surface (haversine), metres. */
export function distanceM(a: Point, b: Point): number {
  const radians = (value: number): number => (value / 1e7) * (Math.PI / 180)
  const dLatitude = radians(b.latitude - a.latitude)
  const dLongitude = radians(b.longitude - a.longitude)
  const h =
    Math.sin(dLatitude / 2) ** 2 +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLongitude / 2) ** 2
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(h))
}
