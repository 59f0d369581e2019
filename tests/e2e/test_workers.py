"""Two processes behind one port, on PostgreSQL and Redis (FAULTS A2, E4, E8): together they keep to what one would."""

import os
import signal
import threading
