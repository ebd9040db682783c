/** What an interceptor throws to have a connection break instead of an answer, where a server's documentation says so. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}
