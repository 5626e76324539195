"""`python -m authorizer`."""

import sys

from authorizer.cli.main import main

sys.exit(main())
