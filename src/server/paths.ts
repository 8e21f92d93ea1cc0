// What lies where in the data directory.

import { join } from 'node:path';

export const databasePath = (data: string): string => join(data, 'store.db');
export const segmentsPath = (data: string): string => join(data, 'segments');
export const auditPath = (data: string): string => join(data, 'audit');
export const runPath = (data: string): string => join(data, 'run');
export const tlsPath = (data: string): string => join(data, 'tls');
export const certificatesPath = (data: string): string => join(data, 'tls', 'certs');
export const adminPasswordPath = (data: string): string => join(data, 'admin-password');
