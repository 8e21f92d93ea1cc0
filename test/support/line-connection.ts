// The demo's client is the tests' too.

export * from '../../src/demo/clients/line-connection.ts';
