// Type-level specs of method definitions: tsc is the runner, `@ts-expect-error` the assertion.
import {
  bidi,
  clientStream,
  defineService,
  type KindOf,
  type MethodDefinition,
  type MethodsOf,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
  serverStream,
  unary,
} from '../../lib/grpc/protocol/method.ts'
import { type Feature, feature, type Point, point, same } from './shapes.ts'

const service = defineService('routeguide.RouteGuide', {
  getFeature: unary(point, feature),
  listFeatures: serverStream(point, feature),
  recordRoute: clientStream(point, feature),
  routeChat: bidi(feature, point),
})
type Methods = MethodsOf<typeof service>

same<RequestOf<Methods['getFeature']>, Point>(true)
same<ResponseOf<Methods['getFeature']>, Feature>(true)
same<RequestOf<Methods['routeChat']>, Feature>(true)
same<KindOf<Methods['getFeature']>, 'unary'>(true)
same<KindOf<Methods['listFeatures']>, 'serverStream'>(true)
same<KindOf<Methods['recordRoute']>, 'clientStream'>(true)
same<KindOf<Methods['routeChat']>, 'bidi'>(true)
same<keyof Methods, 'getFeature' | 'listFeatures' | 'recordRoute' | 'routeChat'>(true)
same<Methods['getFeature'], MethodDefinition<Point, Feature, 'unary'>>(true)

// @ts-expect-error a unary method is no bidi method
same<KindOf<Methods['getFeature']>, 'bidi'>(true)
// @ts-expect-error there is no such method
service.methods.getNothing

/** How a server maps methods to handlers: a missing one is an error. */
type Handlers<S> = {
  [Name in keyof MethodsOf<S>]: KindOf<MethodsOf<S>[Name]> extends 'unary'
    ? (request: RequestOf<MethodsOf<S>[Name]>) => Promise<ResponseOf<MethodsOf<S>[Name]>>
    : (...rest: never[]) => unknown
}
const listFeatures = (): void => {}
const recordRoute = (): void => {}
const routeChat = (): void => {}
const register = (_handlers: Handlers<typeof service>): void => {}

register({
  getFeature: async (request) => ({ name: String(request.latitude) }),
  listFeatures,
  recordRoute,
  routeChat,
})
// @ts-expect-error routeChat is missing
register({ getFeature: async () => ({ name: '' }), listFeatures, recordRoute })
register({
  // @ts-expect-error the response is no Feature
  getFeature: async (request) => ({ latitude: request.latitude }),
  listFeatures,
  recordRoute,
  routeChat,
})

// Any service fits where the methods do not matter.
const registerAny = (_service: ServiceDefinition): void => {}
registerAny(service)
