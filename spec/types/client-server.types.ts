// Type-level specs of clients and handlers: tsc is the runner, `@ts-expect-error` the assertion.

import type { ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import { type Client, createClient } from '../../lib/grpc/client/client.ts'
import type {
  BidiCall,
  ClientStreamCall,
  ServerStreamCall,
} from '../../lib/grpc/client/stream-call.ts'
import {
  bidi,
  clientStream,
  defineService,
  serverStream,
  unary,
} from '../../lib/grpc/protocol/method.ts'
import type { RequestStream, ServerCallContext } from '../../lib/grpc/server/handlers.ts'
import type { Server } from '../../lib/grpc/server/server.ts'
import { type Feature, feature, type Point, point, same } from './shapes.ts'

declare const conn: ClientConn
declare const server: Server

const RouteGuide = defineService('routeguide.RouteGuide', {
  getFeature: unary(point, feature),
  listFeatures: serverStream(point, feature),
  recordRoute: clientStream(point, feature),
  routeChat: bidi(feature, point),
})

// Clients.

const client = createClient(RouteGuide, conn)
same<typeof client, Client<typeof RouteGuide>>(true)

const here: Point = { latitude: 1 }
const found: Promise<Feature> = client.getFeature(here, { timeoutMs: 5 })
const listed: ServerStreamCall<Feature> = client.listFeatures(here)
const recorded: ClientStreamCall<Point, Feature> = client.recordRoute({ timeoutMs: 5 })
const recordedAtOnce: Promise<Feature> = client.recordRoute([here], { timeoutMs: 5 })
const chatted: BidiCall<Feature, Point> = client.routeChat()
const chattedAtOnce: ServerStreamCall<Point> = client.routeChat([{ name: 'x' }])
void [found, listed, recorded, recordedAtOnce, chatted, chattedAtOnce]

// @ts-expect-error the request is no Point
void client.getFeature({ name: 'x' })
// @ts-expect-error there is no such method
void client.getNothing
// @ts-expect-error there is no such option
void client.getFeature(here, { timeout: 5 })
// @ts-expect-error a unary call has no stream to send on
client.getFeature(here).send(here)
// @ts-expect-error a stream of features takes no points
void chatted.send(here)
// @ts-expect-error the requests are no points
void client.recordRoute([{ name: 'x' }])

// Invoke and newStream.

const invoked: Promise<Feature> = conn.invoke(RouteGuide.methods.getFeature, here)
const opened: BidiCall<Feature, Point> = conn.newStream(RouteGuide.methods.routeChat)
void [invoked, opened]
// @ts-expect-error the request is no Point
void conn.invoke(RouteGuide.methods.getFeature, { name: 'x' })

// Handlers.

const getFeature = (request: Point): Feature => ({ name: String(request.latitude) })
async function* listFeatures(request: Point): AsyncGenerator<Feature> {
  yield getFeature(request)
}
async function recordRoute(points: RequestStream<Point>): Promise<Feature> {
  for await (const each of points) return getFeature(each)
  return { name: '' }
}
async function routeChat(
  _notes: RequestStream<Feature>,
  call: ServerCallContext<Point>,
): Promise<void> {
  await call.send(here)
}

server.register(RouteGuide, { getFeature, listFeatures, recordRoute, routeChat })
// Types of parameters are inferred.
server.register(RouteGuide, {
  async getFeature(request, call) {
    same<typeof request, Point>(true)
    same<typeof call, ServerCallContext<Feature>>(true)
    return { name: call.peer.address }
  },
  *listFeatures(request) {
    yield { name: String(request.latitude) }
  },
  recordRoute,
  async *routeChat(notes) {
    for await (const note of notes) yield { latitude: note.name.length }
  },
})

// @ts-expect-error routeChat is missing
server.register(RouteGuide, { getFeature, listFeatures, recordRoute })
// @ts-expect-error getFeature answers with the wrong type
server.register(RouteGuide, { getFeature: () => here, listFeatures, recordRoute, routeChat })
// @ts-expect-error listFeatures gives one feature, not a stream of them
server.register(RouteGuide, { getFeature, listFeatures: getFeature, recordRoute, routeChat })
