"""What makes a class: its bases and its members, without what Python writes into it by itself.

Which attributes those are changes from version to version, and some are written long after the class was made
(`__slotnames__` at the first copy, `__abstractmethods__` caches). For dataclasses, enumerations and named tuples, what was
declared counts, not the methods that were generated from it.
"""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from awflow.fingerprint.values import Hasher, Node

WRITTEN_BY_PYTHON: Final = frozenset({
    '__abstractmethods__', '__annotate__', '__annotate_func__', '__annotations__', '__annotations_cache__', '__classcell__',
    '__classdictcell__', '__conditional_annotations__', '__dict__', '__doc__', '__final__', '__firstlineno__', '__match_args__',
    '__module__', '__orig_bases__', '__parameters__', '__qualname__', '__slotnames__', '__static_attributes__',
    '__type_params__', '__weakref__', '__non_callable_proto_members__', '__protocol_attrs__', '__subclasshook__',
    '_abc_impl', '_abc_cache', '_abc_registry', '_is_protocol', '_is_runtime_protocol',
})  # fmt: skip
OF_DATACLASS: Final = frozenset({
    '__dataclass_fields__', '__dataclass_params__', '__init__', '__repr__', '__eq__', '__lt__', '__le__', '__gt__', '__ge__',
    '__hash__', '__setattr__', '__delattr__', '__getstate__', '__setstate__', '__replace__',
})  # fmt: skip
OF_NAMEDTUPLE: Final = frozenset({
    '_make', '_replace', '_asdict', '_fields', '_field_defaults', '_field_types', '__new__', '__repr__', '__getnewargs__',
    '__replace__',
})  # fmt: skip
FIELD: Final = ('name', 'default', 'default_factory', 'init', 'repr', 'hash', 'compare', 'kw_only')
PARAMS: Final = ('init', 'repr', 'eq', 'order', 'unsafe_hash', 'frozen')


def open_class(hasher: Hasher, cls: type) -> Node:
    """The digest of a class of the project by its contents; what it refers to is handed up."""
    return hasher.node(ClassContents(cls))


class ClassContents:
    """Stands for what is in a class, where the class itself stands for its name."""

    __slots__ = ('cls',)

    def __init__(self, cls: type) -> None:
        self.cls = cls


def contents(hasher: Hasher, value: ClassContents, node: Node) -> bytes:
    """The handler of ClassContents."""
    cls = value.cls
    declared, generated = _declared(hasher, cls, node)
    parts = [b'contents', hasher.sequence(list(cls.__bases__), node)]
    if not declared.startswith(b'enum'):  # whose metaclass got another name in Python 3.11
        parts.append(hasher.encode(type(cls), node))
    parts.append(declared)
    for name, member in sorted(vars(cls).items()):
        if name not in WRITTEN_BY_PYTHON and name not in generated and not _by_machinery(name, member):
            parts += [hasher.encode(name, node), hasher.encode(member, node, f'.{name}')]
    return b''.join(parts)


def _declared(hasher: Hasher, cls: Any, node: Node) -> tuple[bytes, frozenset[str]]:
    """Fields or members, and the names of what was made from them."""
    own = vars(cls)
    if '__dataclass_fields__' in own:
        return b'dataclass' + _fields(hasher, cls, node), _made_by_dataclass(own)
    if '_member_map_' in own:
        members = [[name, member._value_] for name, member in cls._member_map_.items()]
        return b'enum' + hasher.sequence(members, node), _made_by_enum(own) | frozenset(cls._member_map_)
    if issubclass(cls, tuple) and '_fields' in own:
        return b'namedtuple' + hasher.encode(cls._fields, node) + hasher.encode(cls._field_defaults, node), (
            OF_NAMEDTUPLE | frozenset(cls._fields)
        )
    return b'', frozenset()


def _fields(hasher: Hasher, cls: Any, node: Node) -> bytes:
    parts = [b'%d' % getattr(cls.__dataclass_params__, name, False) for name in PARAMS]
    for field in cls.__dataclass_fields__.values():
        parts.append(hasher.encode(field._field_type.name, node))
        for name in FIELD:
            value = getattr(field, name, None)
            missing = type(value).__name__ == '_MISSING_TYPE'
            parts.append(b'-' if missing else hasher.encode(value, node, f'.{field.name}'))
        if field.metadata:
            parts.append(hasher.encode(field.metadata, node, f'.{field.name}.metadata'))
    return b''.join(parts)


def _made_by_dataclass(own: Mapping[str, Any]) -> frozenset[str]:
    """Methods compiled from a string, and the module's own functions; not what the user wrote instead."""
    return frozenset(name for name in OF_DATACLASS & own.keys() if not _written_by_user(own[name], 'dataclasses'))


def _made_by_enum(own: Mapping[str, Any]) -> frozenset[str]:
    """All that is spelled `_like_this_`, save functions that the user wrote."""
    spelled = [name for name in own if name.startswith('_') and name.endswith('_')]
    return frozenset(name for name in spelled if not _written_by_user(own[name], 'enum'))


def _written_by_user(member: object, module: str) -> bool:
    if type(member) in (classmethod, staticmethod):
        member = member.__func__  # type: ignore[attr-defined]
    if type(member) is not FunctionType or member.__globals__.get('__name__') in (module, 'reprlib'):
        return False
    return member.__code__.co_filename != '<string>'


def _by_machinery(name: str, member: object) -> bool:
    """Accessors of slots (which ones there are, `__slots__` says) and the compiled validators of pydantic."""
    if type(member).__name__ in ('member_descriptor', 'getset_descriptor'):
        return True
    return name == '__signature__' or (name.startswith('__pydantic_') and name != '__pydantic_fields__')
