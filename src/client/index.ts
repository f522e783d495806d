export type { ChannelEntry, ChannelWithHistory, Files, Ready, ReleaseEvent, Status } from '../api/contract.ts'
export { type Code, MeshError } from '../errors.ts'
export { Client, type ClientOptions, type Snapshot, type Validator, type WatchOptions } from './client.ts'
