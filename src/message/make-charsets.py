#!/usr/bin/env python3
"""Makes src/message/charsets.json: character sets of mail that TextDecoder does not know, by every name they have.

In      Python's codecs and their aliases; glibc's iconv; the IANA registry as Debian's libi18n-charset-perl carries it
        (argv[1]: its I18N/Charset.pm)
Out     names (lower case, letters and digits only) -> what reads them: `=label` is TextDecoder's, `*kind` an algorithm of
        charset.ts, anything else a table; tables of 256 characters; tables of two octets by their first one

    apt-get download libi18n-charset-perl && dpkg -x libi18n-charset-perl*.deb x
    python3 src/message/make-charsets.py x/usr/share/perl5/I18N/Charset.pm > src/message/charsets.json
"""
import codecs
import ctypes
import encodings.aliases
import json
import pkgutil
import re
import subprocess
import sys

UNDEFINED = '\ufffd'
# What TextDecoder reads, by Python's names.
KNOWN = {
    'big5': '=big5', 'big5hkscs': '=big5', 'cp950': '=big5', 'cp932': '=shift_jis', 'shift_jis': '=shift_jis',
    'shift_jis_2004': '=shift_jis', 'shift_jisx0213': '=shift_jis', 'euc_jp': '=euc-jp', 'euc_jis_2004': '=euc-jp',
    'euc_jisx0213': '=euc-jp', 'gb2312': '=gbk', 'gbk': '=gbk', 'gb18030': '=gb18030', 'cp949': '=euc-kr',
    'euc_kr': '=euc-kr', 'iso2022_jp': '=iso-2022-jp', 'iso2022_jp_1': '=iso-2022-jp', 'iso2022_jp_2': '=iso-2022-jp',
    'iso2022_jp_2004': '=iso-2022-jp', 'iso2022_jp_3': '=iso-2022-jp', 'iso2022_jp_ext': '=iso-2022-jp',
    'iso2022_kr': '*iso-2022-kr', 'hz': '*hz', 'utf_8': '=utf-8', 'utf_8_sig': '=utf-8', 'utf_7': '*utf-7',
    'utf_16': '*utf-16', 'utf_16_be': '=utf-16be', 'utf_16_le': '=utf-16le', 'utf_32': '*utf-32',
    'utf_32_be': '*utf-32be', 'utf_32_le': '*utf-32le', 'latin_1': '=windows-1252', 'iso8859_1': '=windows-1252',
    'iso8859_9': '=windows-1254', 'iso8859_11': '=windows-874', 'tis_620': '=windows-874', 'cp874': '=windows-874',
    'cp866': '=ibm866', 'koi8_r': '=koi8-r', 'koi8_u': '=koi8-u', 'mac_roman': '=macintosh',
    'mac_cyrillic': '=x-mac-cyrillic', 'johab': 'johab',
}
for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16):
    KNOWN[f'iso8859_{number}'] = f'=iso-8859-{number}'
for number in range(1250, 1259):
    KNOWN[f'cp{number}'] = f'=windows-{number}'
# No text, or the undeclared kind of it: charset.ts reads those as what they are.
LEFT_OUT = {'ascii', 'base64_codec', 'bz2_codec', 'hex_codec', 'quopri_codec', 'rot_13', 'uu_codec', 'zlib_codec',
            'charmap', 'idna', 'mbcs', 'oem', 'palmos_raw', 'punycode', 'raw_unicode_escape', 'undefined',
            'unicode_escape', 'aliases'}
# IANA's that no codec of Python's has, and mail's own names.
MORE = {
    'iso-10646-ucs-2': '=utf-16be', 'iso-10646-ucs-4': '*utf-32be', 'unicode-1-1': '=utf-16be', 'unicode-1-1-utf-7': '*utf-7',
    'iso-10646-utf-1': None, 'cesu-8': '=utf-8', 'iso-2022-cn': '*iso-2022-cn', 'iso-2022-cn-ext': '*iso-2022-cn',
    'x-gbk': '=gbk', 'cp936': '=gbk', 'ms936': '=gbk', 'windows-936': '=gbk', 'gb_2312-80': '=gbk', 'cp54936': '=gb18030',
    'x-windows-949': '=euc-kr', 'ks_c_5601-1987': '=euc-kr', 'windows-31j': '=shift_jis', 'cp943': '=shift_jis',
    'cp51949': '=euc-kr', 'cp51932': '=euc-jp', 'cp50220': '=iso-2022-jp', 'cp50221': '=iso-2022-jp', 'cp50222': '=iso-2022-jp',
    'cp50225': '*iso-2022-kr', 'cp52936': '*hz', 'cp65000': '*utf-7', 'cp65001': '=utf-8', 'cp1200': '=utf-16le',
    'cp1201': '=utf-16be', 'cp12000': '*utf-32le', 'cp12001': '*utf-32be', 'cp20866': '=koi8-r', 'cp21866': '=koi8-u',
    'cp10000': '=macintosh', 'cp10007': '=x-mac-cyrillic', 'utf8mb4': '=utf-8', 'unicode': '*utf-16',
    'eucjp-open': '=euc-jp', 'eucjp-win': '=euc-jp', 'sjis-win': '=shift_jis', 'x-sjis': '=shift_jis', 'cp1361': 'johab',
}
for number in range(1, 17):
    MORE[f'cp{28590 + number}'] = {1: '=windows-1252', 9: '=windows-1254', 11: '=windows-874'}.get(number, f'=iso-8859-{number}')
del MORE['cp28602']
for number, codec in ((10004, 'mac_arabic'), (10006, 'mac_greek'), (10010, 'mac_romanian'), (10029, 'mac_latin2'),
                      (10079, 'mac_iceland'), (10081, 'mac_turkish'), (10082, 'mac_croatian')):
    MORE[f'cp{number}'] = codec


def plain(name):
    return re.sub('[^a-z0-9]', '', name.lower())


def single(decode):
    """256 characters, or None for what is no set of one octet a character."""
    table = []
    for octet in range(256):
        try:
            text = decode(bytes([octet]))
        except (UnicodeError, ValueError):
            text = UNDEFINED
        table.append(text if len(text) == 1 and ord(text) < 0x10000 else UNDEFINED)
    return ''.join(table) if sum(character != UNDEFINED for character in table) >= 90 else None


def double(codec):
    rows = {}
    for first in range(0x80, 0xff):
        row = ''
        for second in range(0x31, 0xff):
            try:
                text = codecs.decode(bytes([first, second]), codec)
            except UnicodeError:
                text = UNDEFINED
            row += text if len(text) == 1 else UNDEFINED
        if row.strip(UNDEFINED):
            rows[str(first)] = row.rstrip(UNDEFINED)
    return rows


libc = ctypes.CDLL(None)
libc.iconv_open.restype = ctypes.c_void_p
libc.iconv.restype = ctypes.c_size_t
libc.iconv.argtypes = [ctypes.c_void_p] + 4 * [ctypes.c_void_p]
FAILED = ctypes.c_size_t(-1).value


def by_iconv(name):
    """One octet at a time through glibc's iconv, each from the beginning."""
    def decode(octets):
        handle = libc.iconv_open(b'UTF-8', name.encode())
        if handle in (None, FAILED):
            raise ValueError(name)
        into = ctypes.create_string_buffer(64)
        source, target = ctypes.c_char_p(octets), ctypes.c_void_p(ctypes.addressof(into))
        left, room = ctypes.c_size_t(len(octets)), ctypes.c_size_t(64)
        done = libc.iconv(handle, ctypes.byref(source), ctypes.byref(left), ctypes.byref(target), ctypes.byref(room))
        libc.iconv(handle, None, None, ctypes.byref(target), ctypes.byref(room))
        libc.iconv_close(ctypes.c_void_p(handle))
        if done == FAILED or left.value > 0:
            raise ValueError(name)
        return into.raw[:64 - room.value].decode()
    return decode


names, tables, doubles = {}, {}, {'johab': double('johab')}


def give(name, target):
    if target is not None and plain(name) != '':
        names.setdefault(plain(name), target)


for codec in [module.name for module in pkgutil.iter_modules(encodings.__path__)]:
    if codec in LEFT_OUT:
        continue
    target = KNOWN.get(codec)
    if target is None:
        table = single(lambda octets, codec=codec: codecs.decode(octets, codec))
        if table is None:
            continue
        target = codec
        tables[codec] = table
    give(codec, target)
    for alias, of in encodings.aliases.aliases.items():
        if of == codec:
            give(alias, target)
for name, target in MORE.items():
    give(name, target)

registry = open(sys.argv[1], encoding='latin-1').read()
iconv = {plain(word) for word in subprocess.run(['iconv', '-l'], capture_output=True, text=True, check=True).stdout
         .replace('//', ' ').replace(',', ' ').split()}
for record in re.findall(r'<record[^>]*>(.*?)</record>', registry, re.S):
    called = re.findall(r'<(?:name|alias|preferred_alias)>\s*([^<\s]+)\s*<', record)
    if any(plain(name) in ('usascii', 'ascii') for name in called):
        continue
    target = next((names[plain(name)] for name in called if plain(name) in names), None)
    if target is None:
        for name in called:
            table = single(by_iconv(name)) if plain(name) in iconv else None
            if table is not None:
                target = plain(name)
                tables[target] = table
                break
    for name in called:
        give(name, target)

# Code pages, and sets of one country, that neither Python nor the registry has.
for word in sorted(iconv):
    if re.fullmatch('(?:cp|ibm)[0-9]+|armscii8|georgian(?:academy|ps)|tcvn|tcvn5712|macis|macuk|ttmact|nextstep|rk1048', word) and word not in names:
        table = single(by_iconv(word))
        if table is not None:
            tables[word] = table
            give(word, word)

# Code pages by the words that mailers put before their number.
for name, target in list(names.items()):
    number = re.fullmatch('(?:cp|ibm|windows|ms)([0-9]{3,5})', name)
    if number:
        for word in ('cp', 'ibm', 'windows', 'ms', 'xcp', 'xibm', 'xwindows', 'xms', ''):
            give(word + number[1], target)
# One table a content.
first = {}
for name in sorted(tables):
    first.setdefault(tables[name], name)
names = {name: first[tables[target]] if target in tables else target for name, target in names.items()}
used = set(names.values())
json.dump({
    'names': dict(sorted(names.items())),
    'tables': {name: table for name, table in sorted(tables.items()) if name in used},
    'doubles': doubles,
}, sys.stdout, ensure_ascii=False, indent=1)
print()
