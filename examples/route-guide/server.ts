// The server's side: one handler for each method of RouteGuide.
import type { Handlers } from '../../lib/grpc/index.ts'
import { distanceM } from './features.ts'
import type { Feature, Point, Rectangle, RouteGuideService, RouteNote } from './service.ts'

const keyOf = ({ latitude, longitude }: Point): string => `${latitude},${longitude}`
const ORIGIN: Point = { latitude: 0, longitude: 0 }

/** The handlers over a list of features. */
export function routeGuide(features: readonly Feature[]): Handlers<RouteGuideService> {
  const byPoint = new Map(features.map((feature) => [keyOf(feature.location ?? ORIGIN), feature]))
  const notesByPoint = new Map<string, RouteNote[]>()
  return {
    getFeature: (point) => byPoint.get(keyOf(point)) ?? { name: '', location: point },

    *listFeatures(rectangle) {
      for (const feature of features) {
        if (feature.name !== '' && isWithin(feature.location ?? ORIGIN, rectangle)) yield feature
      }
    },

    async recordRoute(points) {
      const startMs = performance.now()
      let pointCount = 0
      let featureCount = 0
      let distance = 0
      let previous: Point | undefined
      for await (const point of points) {
        pointCount++
        if ((byPoint.get(keyOf(point))?.name ?? '') !== '') featureCount++
        if (previous !== undefined) distance += distanceM(previous, point)
        previous = point
      }
      const elapsedTime = Math.round((performance.now() - startMs) / 1000)
      return { pointCount, featureCount, distance: Math.round(distance), elapsedTime }
    },

    async *routeChat(notes) {
      for await (const note of notes) {
        const key = keyOf(note.location ?? ORIGIN)
        const earlier = notesByPoint.get(key) ?? []
        notesByPoint.set(key, [...earlier, note])
        yield* earlier
      }
    },
  }
}

function isWithin({ latitude, longitude }: Point, { lo, hi }: Rectangle): boolean {
  const a = lo ?? ORIGIN
  const b = hi ?? ORIGIN
  return (
    latitude >= Math.min(a.latitude, b.latitude) &&
    latitude <= Math.max(a.latitude, b.latitude) &&
    longitude >= Math.min(a.longitude, b.longitude) &&
    longitude <= Math.max(a.longitude, b.longitude)
  )
}
