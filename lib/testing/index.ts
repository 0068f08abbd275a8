// What this library is tested with, for those who build on it: virtual time, lines in memory, peers
// that misbehave on command, and proof that nothing was left behind. No real time, no sockets
// (but for ScriptedSocket), the same on every run.
export { FakeClock } from './fake-clock.ts'
export { MemoryPair, type MemoryPairOptions, memoryPair } from './memory-pair.ts'
export { MEMORY_PEER, MemoryWire, type MemoryWireOptions } from './memory-wire.ts'
export { assertGone, assertQuiet } from './quiet.ts'
export { type FrameParts, type PeerLink, ScriptedPeer } from './scripted-peer.ts'
export { ScriptedSocket } from './scripted-socket.ts'
export { Simulation, type SimulationOptions } from './simulation.ts'
