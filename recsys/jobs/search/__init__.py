"""What people do with search and its rules, one function a job."""
