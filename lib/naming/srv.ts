// Names of services and the order of their records. No look-ups. Source: RFC 2782.
import type { Random } from '../base/random.ts'
import type { SrvRecord } from './dns-lookup.ts'

const SERVICE_PREFIX = /^_[^.]+\._[^.]+\./

/** Whether a name has the form `_service._proto.domain`. */
export function isServiceName(name: string): boolean {
  return SERVICE_PREFIX.test(name)
}

/** The domain of a service: who offers it, whatever hosts do the work. */
export function serviceDomain(name: string): string {
  return name.replace(SERVICE_PREFIX, '')
}

/**
 * The order in which a client is to try targets: lower priorities first, within one priority by
 * chance, in which a greater weight comes earlier more often.
 */
export function srvOrder(records: readonly SrvRecord[], random: Random): SrvRecord[] {
  return records
    .map((record) => ({ record, draw: draw(record.weight, random) }))
    .sort((a, b) => a.record.priority - b.record.priority || a.draw - b.draw)
    .map(({ record }) => record)
}

/** Exponential with rate `weight`: the least of several is each one's with a chance of its share. */
function draw(weight: number, random: Random): number {
  // RFC 2782: weight 0 is to have a very small chance beside others.
  return -Math.log(1 - random()) / Math.max(weight, 1e-3)
}
