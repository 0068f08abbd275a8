// The client's side: one call of each kind, and what each gave in readable form.
import type { Client } from '../../lib/grpc/index.ts'
import type { Feature, Point, RouteGuideService } from './service.ts'

type RouteGuideClient = Client<RouteGuideService>

/** One of the four calls: its name, and a function that makes it and tells what came back. */
export interface Demonstration {
  readonly method: string
  run(client: RouteGuideClient, print: (line: string) => void): Promise<void>
}

const place = (point: Point | undefined): string =>
  point === undefined
    ? 'nowhere'
    : `${(point.latitude / 1e7).toFixed(4)}°, ${(point.longitude / 1e7).toFixed(4)}°`

const nameOf = ({ name }: Feature): string => (name === '' ? 'nothing known' : name)

/** The demonstrations over the land that the server serves. */
export function demonstrations(features: readonly Feature[]): readonly Demonstration[] {
  const [first, second, third] = features.map(({ location }) => location as Point)
  return [
    {
      method: 'GetFeature',
      async run(client, print) {
        for (const point of [first, { latitude: 0, longitude: 0 }] as Point[]) {
          print(`at ${place(point)}: ${nameOf(await client.getFeature(point))}`)
        }
      },
    },
    {
      method: 'ListFeatures',
      async run(client, print) {
        const lo = { latitude: 468_000_000, longitude: 82_000_000 }
        const hi = { latitude: 474_000_000, longitude: 88_000_000 }
        print(`between ${place(lo)} and ${place(hi)}:`)
        let count = 0
        for await (const feature of client.listFeatures({ lo, hi })) {
          count++
          print(`  ${nameOf(feature)} at ${place(feature.location)}`)
        }
        print(`${count} features`)
      },
    },
    {
      method: 'RecordRoute',
      async run(client, print) {
        const route = features.slice(0, 10).map(({ location }) => location as Point)
        const summary = await client.recordRoute(route)
        const { pointCount, featureCount, distance } = summary
        print(`${pointCount} points, ${featureCount} features, ${(distance / 1000).toFixed(1)} km`)
      },
    },
    {
      method: 'RouteChat',
      async run(client, print) {
        const chat = client.routeChat()
        const notes = [
          { location: first as Point, message: 'the path begins here' },
          { location: second as Point, message: 'mind the dog' },
          { location: third as Point, message: 'water' },
          { location: first as Point, message: 'back again' },
          { location: second as Point, message: 'the dog is friendly' },
        ]
        for (const note of notes) await chat.send(note)
        chat.end()
        for await (const { location, message } of chat) {
          print(`earlier at ${place(location)}: "${message}"`)
        }
      },
    },
  ]
}
