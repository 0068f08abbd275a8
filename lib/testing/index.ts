export { FakeClock } from './fake-clock.ts'
export { MemoryPair, type MemoryPairOptions, memoryPair } from './memory-pair.ts'
export { MEMORY_PEER, MemoryWire, type MemoryWireOptions } from './memory-wire.ts'
