// Who am I: the authorization identity of the one who asks. RFC 4532

export const WHO_AM_I = '1.3.6.1.4.1.4203.1.11.3';
