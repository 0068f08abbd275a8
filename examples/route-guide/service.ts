// RouteGuide as TypeScript sees it: the messages of route_guide.proto and the typed service.
import { fileURLToPath } from 'node:url'
import { loadProto, type MethodDefinition, type ServiceDefinition } from '../../lib/grpc/index.ts'

export interface Point {
  latitude: number
  longitude: number
}

export interface Rectangle {
  lo?: Point
  hi?: Point
}

export interface Feature {
  name: string
  location?: Point
}

export interface RouteNote {
  location?: Point
  message: string
}

export interface RouteSummary {
  pointCount: number
  featureCount: number
  distance: number
  elapsedTime: number
}

export type RouteGuideService = ServiceDefinition<{
  getFeature: MethodDefinition<Point, Feature, 'unary'>
  listFeatures: MethodDefinition<Rectangle, Feature, 'serverStream'>
  recordRoute: MethodDefinition<Point, RouteSummary, 'clientStream'>
  routeChat: MethodDefinition<RouteNote, RouteNote, 'bidi'>
}>

// The compiled example lies in dist, its .proto file in the source tree.
const PROTO = fileURLToPath(
  new URL('../../../examples/route-guide/route_guide.proto', import.meta.url),
)

/** Loads the service definition. */
export async function loadRouteGuide(): Promise<RouteGuideService> {
  const { services } = await loadProto<{ RouteGuide: RouteGuideService }>(PROTO)
  return services.RouteGuide
}
