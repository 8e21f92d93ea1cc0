// Every bound of the DNS door, each with its reason.

/** A query that is larger is not read: one question, an OPT record and its padding are below 1 KiB. */
export const QUERY_BYTES = 4096;
/** Records of a query: OPT, perhaps a signature, perhaps a SOA. Four KiB of names that point at each other cost 1 ms. */
export const QUERY_RECORDS_MAX = 8;
/** What every client takes without EDNS(0). RFC 1035 §4.2.1 */
export const UDP_BYTES = 512;
/** What we offer and send at most over UDP, so that nothing is fragmented. RFC 9715 §3 */
export const UDP_BYTES_MAX = 1232;
export const TCP_BYTES = 65_535;
/** Of answers that a thread remembers: some 30,000. */
export const REMEMBERED_BYTES = 16 * 1024 * 1024;
/** Octets that wait in one UDP socket; beyond it answers are dropped, as the network would. */
export const UDP_WAITING_BYTES = 4 * 1024 * 1024;
/** Room in the kernel for queries that come in a burst: some 4,000 small ones. */
export const UDP_RECEIVE_BYTES = 4 * 1024 * 1024;
/** From one complete query to the next, and from accept to the first. RFC 7766 §6.2.3 speaks of seconds. */
export const TCP_IDLE_MS = 10_000;
/** Of a zone on its way, from one octet that the client takes to the next. */
export const TCP_TRANSFER_IDLE_MS = 30_000;
/** A message of a transfer, about. */
export const TRANSFER_BYTES = 16_384;
/** Others have the thread after so long; a page that was begun, and the message that it fills, come on top. */
export const TRANSFER_TURN_MS = 2;
/** Malformed queries on one TCP connection. */
export const TCP_BAD_QUERIES_MAX = 20;
