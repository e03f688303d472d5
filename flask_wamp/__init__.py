"""WAMP for Flask: procedures, subscriptions, calls and publishes through a Crossbar.io router."""

from .context import event as event
from .context import invocation as invocation
from .errors import ApplicationError as ApplicationError
from .errors import BlockingCallError as BlockingCallError
from .errors import CallTimeout as CallTimeout
from .errors import Canceled as Canceled
from .errors import ConfigError as ConfigError
from .errors import DeclarationError as DeclarationError
from .errors import InvalidArgument as InvalidArgument
from .errors import NoSuchProcedure as NoSuchProcedure
from .errors import NotAuthorized as NotAuthorized
from .errors import NotConnected as NotConnected
from .errors import PayloadError as PayloadError
from .errors import RegistrationFailed as RegistrationFailed
from .errors import RemoteError as RemoteError
from .errors import SetupError as SetupError
from .errors import TooManyCalls as TooManyCalls
from .errors import WAMPError as WAMPError
from .extension import WAMP as WAMP
from .link import CallResult as CallResult
