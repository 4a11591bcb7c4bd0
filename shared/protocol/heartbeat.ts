/**
 * The heartbeat in the very characters that a gateway recognises without reading JSON, so that a shard need
 * not be woken for it. Written otherwise it is answered as well, only at a higher price.
 */
export const HEARTBEAT = '{"type":"heartbeat"}';
export const HEARTBEAT_ACK = '{"type":"heartbeat_ack"}';
